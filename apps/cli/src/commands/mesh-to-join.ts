import { apiClient } from '../api/api-client.ts';
import { findApi, findControlPlane } from '../api/find-control-plane.ts';
import { CliError, EXIT, usageError } from '../cli/exit-codes.ts';
import type { Io } from '../cli/io.ts';
import type { JoinToken } from './token-create.ts';

/** What the options of a command that joins say of the mesh. */
export interface MeshOptions {
  readonly 'control-plane': readonly string[];
  readonly 'trust-domain': string | undefined;
  readonly token: string | undefined;
  readonly api: string | undefined;
}

/** @throws CliError 69 when no control plane is known, 64 without a trust domain */
export async function meshToJoin(
  io: Io,
  options: MeshOptions,
): Promise<{ readonly xds: readonly string[]; readonly trustDomain: string }> {
  const local = await findControlPlane(io);
  const xds =
    options['control-plane'].length > 0
      ? options['control-plane']
      : local.xds === undefined
        ? []
        : [local.xds];
  const trustDomain = options['trust-domain'] ?? local.trustDomain;
  if (xds.length === 0)
    throw new CliError(
      EXIT.unreachable,
      'no control plane is known on this machine',
      'start one with tulle control-plane, or say where it is with --control-plane',
    );
  if (trustDomain === undefined)
    throw usageError('--trust-domain is missing', 'the control plane prints it when it starts');
  return { xds, trustDomain };
}

/** The token that was given, else one of this machine's control plane; whoever may ask for one may say with which labels. */
export async function joinTokenFor(
  io: Io,
  options: MeshOptions,
  workload: {
    readonly namespace: string;
    readonly serviceAccount: string;
    readonly labels: Readonly<Record<string, string>>;
  },
): Promise<string | undefined> {
  if (options.token !== undefined) return options.token;
  const api = options.api === undefined ? (await findControlPlane(io)).api : await findApi(io, options.api);
  if (api === undefined) return undefined;
  // Without an answer a saved identity may still do; the proxy says so when it does not.
  const client = apiClient(api, new AbortController().signal);
  try {
    const body = { type: 'application/json', text: JSON.stringify(workload) };
    return (await client.must<JoinToken>('POST', '/api/v1/join-tokens', body)).token;
  } catch (error) {
    if (error instanceof CliError && error.exitCode === EXIT.unreachable) return undefined;
    throw error;
  }
}
