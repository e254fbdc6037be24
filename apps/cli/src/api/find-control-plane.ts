import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tulleDirectories } from '@tulle/sidecar/directories';
import type { OptionSpec } from '../cli/command.ts';
import { CliError, EXIT } from '../cli/exit-codes.ts';
import type { Io } from '../cli/io.ts';

/** Where a control plane is, as it says in its file, or as flags and environment say. */
export interface ControlPlaneAddresses {
  /** `http://:SECRET@127.0.0.1:PORT` or `unix:/path`. */
  readonly api: string | undefined;
  /** `host:port` of xDS and CA. */
  readonly xds: string | undefined;
  /** `host:port` or `unix:/path` of xDS for resources as they are put, in plain text; where it serves them. */
  readonly rawXds: string | undefined;
  readonly trustDomain: string | undefined;
}

/** Name of the file in the state directory in which a control plane says where it is. */
export const CONTROL_PLANE_FILE = 'control-plane.json';

/** The options of every command that asks the control plane. */
export const API_OPTION: { readonly api: OptionSpec & { readonly type: 'string' } } = {
  api: {
    type: 'string',
    value: 'URL',
    env: 'TULLE_API',
    help: 'REST API of the control plane, http://:SECRET@127.0.0.1:PORT or unix:PATH; default: the one that runs on this machine',
  },
};

/** What the control plane of this machine said of itself; nothing when there is none. */
export async function findControlPlane(io: Io): Promise<ControlPlaneAddresses> {
  const path = join(tulleDirectories(io.env).state, CONTROL_PLANE_FILE);
  try {
    const found = JSON.parse(await readFile(path, 'utf8')) as Partial<
      ControlPlaneAddresses & { apiSecret: string }
    >;
    return {
      api: withSecret(found.api, found.apiSecret),
      xds: found.xds,
      rawXds: found.rawXds,
      trustDomain: found.trustDomain,
    };
  } catch {
    return { api: undefined, xds: undefined, rawXds: undefined, trustDomain: undefined };
  }
}

/** Carries the secret as RFC 3986 userinfo, so that it goes where the address goes. */
function withSecret(api: string | undefined, secret: string | undefined): string | undefined {
  if (secret === undefined || api?.startsWith('http://') !== true) return api;
  return api.replace('http://', `http://:${secret}@`);
}

/** Address of the API. @throws CliError 69 when none is known */
export async function findApi(io: Io, given: string | undefined): Promise<string> {
  const found = (await findControlPlane(io)).api;
  // Named by hand, but the one that runs here: its secret is known.
  const api = given !== undefined && found !== undefined && sameApi(given, found) ? found : (given ?? found);
  if (api === undefined) {
    throw new CliError(
      EXIT.unreachable,
      'no control plane is known on this machine',
      'start one (tulle control-plane), or say where it is with --api or TULLE_API',
    );
  }
  return api;
}

const sameApi = (given: string, found: string): boolean =>
  given.replace(/\/$/, '') === found.replace(/^http:\/\/:[^@]*@/, 'http://');
