import { TulleError } from '@tulle/filter';
import type { TelemetryPlugin } from '@tulle/telemetry';

/** What one of the plugins brings for the whole engine. @throws TulleError when two bring it */
export function onlyOne<Part extends 'meter' | 'tracing'>(
  plugins: readonly TelemetryPlugin[],
  part: Part,
): TelemetryPlugin[Part] | undefined {
  const those = plugins.filter((plugin) => plugin[part] !== undefined);
  if (those.length > 1)
    throw new TulleError(
      'TULLE_CONFIG_INVALID',
      `createProxy: ${those.map((plugin) => plugin.name).join(' and ')} both bring ${part === 'meter' ? 'a meter' : 'tracing'}; at most one telemetry plugin may`,
    );
  return those[0]?.[part];
}

/** Ends all that a plugin brought, side by side; at once what throws at once. */
export async function finishParts(plugin: TelemetryPlugin, step: 'flush' | 'close'): Promise<void> {
  const { sink, accessLoggers, tracers } = plugin;
  await Promise.all([
    (async () => sink?.[step]?.())(),
    (async () => accessLoggers?.[step]?.())(),
    // Closed with the handlers that they trace; at the end clusters cannot be asked any more.
    (async () => (step === 'flush' ? tracers?.flush?.() : undefined))(),
  ]);
}
