import type { DescMessage, Message } from '@bufbuild/protobuf';
import type { LayeredRuntime } from '@tulle/xds-proto/envoy/config/bootstrap/v3/bootstrap';

/** Features of Envoy's own code, which a deployment switches by its release. */
const OF_ENVOY = /^(?:envoy\.(?:reloadable|restart)_features|re2|features)\./;
/** Keys by which Envoy overrides what its configuration says. */
const OVERRIDES =
  /^(?:circuit_breakers|upstream|outlier_detection|health_check|fault|tracing|ratelimit|load_balancer|zone_routing|admission_control|adaptive_concurrency|http\.(?:conn_manager|.*))\b/;

/** What a static layer says that is done. */
export interface RuntimeSettings {
  /** `overload.global_downstream_max_connections`. */
  readonly maxDownstreamConnections?: number;
}

/**
 * Looks through the layers. Static ones whose keys nobody reads are taken; a key that would override something is refused.
 * @param readKeys `runtime_key`s of the static resources
 */
export function readRuntime(
  runtime: LayeredRuntime | undefined,
  readKeys: ReadonlySet<string>,
  refuse: (path: string, message: string) => void,
  note: (text: string) => void,
): RuntimeSettings {
  let settings: RuntimeSettings = {};
  for (const [index, { name, layerSpecifier: layer }] of (runtime?.layers ?? []).entries()) {
    const path = `layered_runtime.layers[${index}]`;
    switch (layer.case) {
      case 'staticLayer': {
        const keys = keysOf(layer.value);
        for (const [key, value] of keys) {
          const here = `${path}.static_layer[${JSON.stringify(key)}]`;
          if (key === 'overload.global_downstream_max_connections') {
            const count = Number(value);
            if (Number.isSafeInteger(count) && count >= 0) settings = { maxDownstreamConnections: count };
            else refuse(here, `must be a whole number of connections, but is ${JSON.stringify(value)}`);
          } else if (readKeys.has(key))
            refuse(
              here,
              'is the runtime_key of a field below static_resources; this proxy takes its default_value: write the value there',
            );
          else if (OVERRIDES.test(key) && !OF_ENVOY.test(key))
            refuse(
              here,
              'overrides what the configuration says; this proxy reads no runtime: write the value where it belongs',
            );
        }
        note(
          `layered_runtime: the layer ${JSON.stringify(name)} is taken, and nothing reads it${'maxDownstreamConnections' in settings ? ' but overload.global_downstream_max_connections' : ''}`,
        );
        break;
      }
      case 'adminLayer':
        note(
          `layered_runtime: the layer ${JSON.stringify(name)} stays empty; /runtime_modify changes nothing`,
        );
        break;
      case 'diskLayer':
        refuse(`${path}.disk_layer`, 'is not supported; this proxy reads no runtime');
        break;
      case 'rtdsLayer':
        refuse(`${path}.rtds_layer`, 'is not supported; this proxy reads no runtime');
        break;
      default:
        refuse(path, 'is of no kind: give static_layer or admin_layer');
    }
  }
  return settings;
}

/** Keys with their values; `{ a: { b: 1 } }` and `{ 'a.b': 1 }` are the same. */
function keysOf(layer: Readonly<Record<string, unknown>>, prefix = ''): [string, unknown][] {
  return Object.entries(layer).flatMap(([key, value]) => {
    const name = prefix === '' ? key : `${prefix}.${key}`;
    const nested =
      typeof value === 'object' && value !== null && !Array.isArray(value) && !('numerator' in value);
    return nested
      ? keysOf(value as Readonly<Record<string, unknown>>, name)
      : [[name, value] as [string, unknown]];
  });
}

/** Every `runtime_key` within a message, those in `Any`s too. */
export function runtimeKeys(
  desc: DescMessage,
  message: Message,
  open: (any: Message) => { readonly desc: DescMessage; readonly message: Message } | undefined,
  found: Set<string> = new Set(),
): Set<string> {
  if (desc.typeName === 'google.protobuf.Any') {
    const inner = open(message);
    if (inner !== undefined) runtimeKeys(inner.desc, inner.message, open, found);
    return found;
  }
  if (desc.typeName.startsWith('google.protobuf.')) return found;
  const fields = message as unknown as Readonly<Record<string, unknown>>;
  for (const field of desc.fields) {
    const holder = field.oneof === undefined ? fields[field.localName] : fields[field.oneof.localName];
    const value =
      field.oneof === undefined
        ? holder
        : (holder as { case?: string; value?: unknown }).case === field.localName
          ? (holder as { value?: unknown }).value
          : undefined;
    if (value === undefined) continue;
    if (field.name === 'runtime_key' && typeof value === 'string' && value !== '') found.add(value);
    if (field.message === undefined || field.message === null) continue;
    const messages =
      field.fieldKind === 'list'
        ? (value as readonly Message[])
        : field.fieldKind === 'map'
          ? Object.values(value as object)
          : [value];
    for (const one of messages) if (isMessageObject(one)) runtimeKeys(field.message, one, open, found);
  }
  return found;
}

const isMessageObject = (value: unknown): value is Message =>
  typeof value === 'object' && value !== null && '$typeName' in value;
