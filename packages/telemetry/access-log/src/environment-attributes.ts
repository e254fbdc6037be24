/**
 * Attributes of a resource that the environment names: `key1=value1,key2=value2` with values percent-encoded (OpenTelemetry, "Resource
 * SDK", `OTEL_RESOURCE_ATTRIBUTES`). Of a text that is none of that nothing is taken, which
 * is told, as the specification has it. @param warn gets what is wrong, without values: they may be keys to something
 */
export function environmentAttributes(
  env: Readonly<Record<string, string | undefined>>,
  warn: (message: string) => void,
): Readonly<Record<string, string>> {
  const parts = (env['OTEL_RESOURCE_ATTRIBUTES'] ?? '').split(',').filter((part) => part.trim() !== '');
  try {
    return Object.fromEntries(
      parts.map((part) => {
        const equals = part.indexOf('=');
        const key = part.slice(0, equals).trim();
        if (equals < 0 || key === '') throw new URIError('a part is not key=value');
        return [decodeURIComponent(key), decodeURIComponent(part.slice(equals + 1).trim())];
      }),
    );
  } catch (error) {
    warn(`OTEL_RESOURCE_ATTRIBUTES is left out: ${error instanceof Error ? error.message : String(error)}`);
    return {};
  }
}
