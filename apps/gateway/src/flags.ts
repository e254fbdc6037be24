import { resolve } from 'node:path';
import {
  SIDECAR_FLAGS,
  sidecarOptions,
  type FlagValues,
  type SidecarFlags,
  type SidecarFlagValues,
} from '@tulle/sidecar/flags';
import { parseListen } from './listen-flag.ts';
import type { GatewayOptions } from './options.ts';

/** Flags of sidecars that mean nothing here. */
type OfPrograms = 'port' | 'upstream' | 'label' | 'inbound' | 'advertise' | 'no-port-check';
const {
  port: _p,
  upstream: _u,
  label: _l,
  inbound: _i,
  advertise: _a,
  'no-port-check': _n,
  ...common
} = SIDECAR_FLAGS;

/** Flags of a gateway by the type of their values. */
export type GatewayFlags = Omit<SidecarFlags, OfPrograms> & {
  readonly listen: SidecarFlags['port'];
  readonly certificates: SidecarFlags['inbound'];
};

/** A gateway's flags, whoever starts it. */
export const GATEWAY_FLAGS: GatewayFlags = Object.freeze({
  ...common,
  name: { ...SIDECAR_FLAGS.name, help: 'the Gateway that is served; also its service account' },
  listen: {
    type: 'list',
    value: 'WHERE',
    help: "HOST for all ports of the Gateway, PORT=[HOST:]PORT for one that is elsewhere (0: the system's choice); may be repeated",
    defaultText: '127.0.0.1',
  },
  certificates: {
    type: 'string',
    value: 'DIR',
    help: 'certificateRefs lead to NAMESPACE/NAME/tls.crt and tls.key in it; followed while it runs',
    defaultText: 'certificates in its state directory',
    env: 'TULLE_CERTIFICATES',
  },
} as const);

/** Values of {@link GATEWAY_FLAGS}. */
export type GatewayFlagValues = FlagValues<GatewayFlags>;

/** What flags say of a gateway. */
export type GatewayFlagOptions = Pick<
  GatewayOptions,
  | 'name'
  | 'namespace'
  | 'labels'
  | 'address'
  | 'listen'
  | 'certificates'
  | 'locality'
  | 'workers'
  | 'supervisor'
  | 'overload'
  | 'accessLog'
  | 'telemetry'
  | 'drain'
> & { readonly name: string; readonly namespace: string };

/**
 * @param env the `OTEL_*` variables
 * @throws FlagError
 */
export async function gatewayOptions(
  flags: GatewayFlagValues,
  env?: Readonly<Record<string, string | undefined>>,
  cwd: string = process.cwd(),
): Promise<GatewayFlagOptions> {
  const asSidecar: SidecarFlagValues = {
    ...flags,
    port: [],
    upstream: [],
    label: [],
    inbound: undefined,
    advertise: undefined,
    'no-port-check': true,
  };
  const {
    ports: _ports,
    upstreams: _upstreams,
    readiness: _readiness,
    ...options
  } = await sidecarOptions(asSidecar, env);
  return {
    ...options,
    ...parseListen(flags.listen),
    ...(flags.certificates === undefined ? {} : { certificates: resolve(cwd, flags.certificates) }),
  };
}
