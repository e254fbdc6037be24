import { TulleError } from '@tulle/filter';
import type { Node } from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { ClientTelemetry, ClientTracing } from '../encode/form.ts';

/** Key of `Node.metadata` under which a client that is not Tulle's says what it is to report. */
const TELEMETRY_KEY = 'telemetry';

/**
 * What a client asks to report: `telemetry: { accessLogFile, tracing: { cluster, url, serviceName, ratio } }`, both optional.
 * @throws TulleError `TULLE_CONFIG_INVALID` naming every field that is wrong
 */
export function readClientTelemetry({ id, metadata }: Node): ClientTelemetry | undefined {
  const given: unknown = metadata?.[TELEMETRY_KEY];
  if (given === undefined) return undefined;
  const issues: { path: string; message: string }[] = [];
  const read = <Name extends string>(
    value: unknown,
    path: string,
    fields: Readonly<Record<Name, (value: unknown) => string | undefined>>,
  ): Partial<Record<Name, unknown>> => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      issues.push({ path, message: `must be an object with ${Object.keys(fields).join(', ')}` });
      return {};
    }
    for (const name of Object.keys(value))
      if (!Object.hasOwn(fields, name))
        issues.push({
          path: `${path}/${name}`,
          message: `is not known; there are ${Object.keys(fields).join(', ')}`,
        });
    const found: Partial<Record<Name, unknown>> = value;
    for (const [name, faultOf] of Object.entries(fields) as [
      Name,
      (value: unknown) => string | undefined,
    ][]) {
      const fault = faultOf(found[name]);
      if (fault !== undefined)
        issues.push({
          path: `${path}/${name}`,
          message: `${fault}, not ${JSON.stringify(found[name])?.slice(0, 200)}`,
        });
    }
    return found;
  };
  const { accessLogFile, tracing: asked } = read(given, `/${TELEMETRY_KEY}`, {
    accessLogFile: (value) => (value === undefined ? undefined : pathFault(value)),
    tracing: () => undefined,
  });
  const tracing =
    asked === undefined
      ? undefined
      : read(asked, `/${TELEMETRY_KEY}/tracing`, {
          cluster: nameFault,
          url: urlFault,
          serviceName: nameFault,
          ratio: (value) =>
            typeof value === 'number' && value >= 0 && value <= 1 ? undefined : 'must be a share from 0 to 1',
        });
  if (issues.length > 0)
    throw new TulleError(
      'TULLE_CONFIG_INVALID',
      `node ${id}: ${issues.map(({ path, message }) => `metadata${path} ${message}`).join('; ')}`,
      { issues },
    );
  return {
    ...(accessLogFile === undefined ? {} : { accessLogFile: accessLogFile as string }),
    ...(tracing === undefined ? {} : { tracing: tracing as unknown as ClientTracing }),
  };
}

const MAX_TEXT = 1024;

const nameFault = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' && value.length <= MAX_TEXT ? undefined : 'must be a name';

const pathFault = (value: unknown): string | undefined =>
  typeof value === 'string' && value.startsWith('/') && value.length <= MAX_TEXT
    ? undefined
    : 'must be an absolute path';

const urlFault = (value: unknown): string | undefined =>
  typeof value === 'string' && value.length <= MAX_TEXT && /^https?:$/.test(URL.parse(value)?.protocol ?? '')
    ? undefined
    : 'must be an http URL';
