import { create, toJson } from '@bufbuild/protobuf';
import { ListenersSchema } from '@tulle/xds-proto/envoy/admin/v3/listeners';
import { listOf } from './ask-front.ts';

/** A listener as the engine tells it. */
export interface ListenerPart {
  readonly name: string;
  /** `host:port`, `[host]:port` or `unix:path`. */
  readonly address: string;
  /** Of older engines none. */
  readonly additionalAddresses?: readonly string[];
  readonly connections: number;
}

/** Host and port, or a path. */
export function splitAddress(
  text: string,
): { readonly host: string; readonly port: number } | { readonly path: string } {
  const [, host, port] =
    /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text)?.filter((part) => part !== undefined) ?? [];
  return host === undefined || port === undefined
    ? { path: text.replace(/^unix:/, '') }
    : { host, port: Number(port) };
}

/** `name::address`, a line for each address of a listener. */
export function listenersText(page: Readonly<Record<string, unknown>>): string {
  return listOf<ListenerPart>(page, 'listeners')
    .flatMap(({ name, address, additionalAddresses = [] }) =>
      [address, ...additionalAddresses].map((one) => `${name}::${one}\n`),
    )
    .join('');
}

/** `envoy.admin.v3.Listeners`. */
export function listenersJson(page: Readonly<Record<string, unknown>>): unknown {
  const listeners = create(ListenersSchema, {
    listenerStatuses: listOf<ListenerPart>(page, 'listeners').map(
      ({ name, address, additionalAddresses = [] }) => ({
        name,
        localAddress: { address: addressFields(address) },
        additionalLocalAddresses: additionalAddresses.map((one) => ({ address: addressFields(one) })),
      }),
    ),
  });
  return toJson(ListenersSchema, listeners, { useProtoFieldName: true });
}

/** The oneof of `envoy.config.core.v3.Address`. */
export function addressFields(text: string):
  | { case: 'pipe'; value: { path: string } }
  | {
      case: 'envoyInternalAddress';
      value: {
        addressNameSpecifier: { case: 'serverListenerName'; value: string };
        endpointId: string;
      };
    }
  | {
      case: 'socketAddress';
      value: { address: string; portSpecifier: { case: 'portValue'; value: number } };
    } {
  const internal = /^envoy:\/\/([^/]*)\/(.*)$/s.exec(text);
  if (internal !== null)
    return {
      case: 'envoyInternalAddress',
      value: {
        addressNameSpecifier: { case: 'serverListenerName', value: internal[1] ?? '' },
        endpointId: internal[2] ?? '',
      },
    };
  const split = splitAddress(text);
  return 'path' in split
    ? { case: 'pipe', value: { path: split.path } }
    : {
        case: 'socketAddress',
        value: { address: split.host, portSpecifier: { case: 'portValue', value: split.port } },
      };
}
