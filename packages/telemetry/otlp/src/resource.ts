import { randomUUID } from 'node:crypto';
import type { Environment } from './environment.ts';
import type { OtlpOptions } from './options.ts';

/** Instrumentation scope of all that is exported. */
export const SCOPE = '@tulle/telemetry-otlp';

/** Attributes of the resource: whose telemetry this is. Options win over the environment. */
export function resourceAttributes(options: OtlpOptions, env: Environment): Readonly<Record<string, string>> {
  const { self = {} } = options;
  const attributes: Record<string, string> = {
    'service.name': serviceName(options),
    // Several engine processes of one proxy are several instances.
    'service.instance.id': randomUUID(),
  };
  if (self.namespace !== undefined) attributes['service.namespace'] = self.namespace;
  if (self.version !== undefined) attributes['service.version'] = self.version;
  Object.assign(attributes, env.pairs('OTEL_RESOURCE_ATTRIBUTES'));
  const named = env.text('OTEL_SERVICE_NAME');
  if (named !== undefined) attributes['service.name'] = named.value;
  return Object.freeze({ ...attributes, ...options.resource });
}

/** `app.namespace`, as Istio names the services of traces; Kiali looks them up by it. */
function serviceName({ self = {} }: OtlpOptions): string {
  const app = self.app ?? self.workload ?? self.service;
  if (app === undefined) return 'unknown_service:tulle';
  return self.namespace === undefined ? app : `${app}.${self.namespace}`;
}
