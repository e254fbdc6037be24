import { CAPABILITIES, PROFILES, type Capability, type ProfileName } from '../capabilities.ts';
import { FlagError } from './flag-error.ts';
import type { SidecarFlagValues } from './flag-specs.ts';

/**
 * What a profile, and what is turned on or off beside it, amount to.
 * @throws FlagError for a capability that there is not, one that is both on and off, or a flag of one that is off
 */
export function capabilitiesOf(
  flags: Pick<SidecarFlagValues, 'profile' | 'with' | 'without' | 'access-log' | 'metrics' | 'otlp-endpoint'>,
): readonly Capability[] {
  const profile = flags.profile ?? 'full';
  if (!Object.hasOwn(PROFILES, profile))
    throw new FlagError(
      `--profile cannot be ${JSON.stringify(profile)}`,
      `it is one of ${Object.keys(PROFILES).join(', ')}`,
    );
  const [on, off] = [named('with', flags.with), named('without', flags.without)];
  const both = on.find((one) => off.includes(one));
  if (both !== undefined) throw new FlagError(`${both} cannot be both --with and --without`);
  const has: readonly Capability[] = PROFILES[profile as ProfileName];
  const capabilities = CAPABILITIES.filter(
    (one) => on.includes(one) || (has.includes(one) && !off.includes(one)),
  );
  const wanted = [
    ['access-log', flags['access-log'] !== undefined, 'access-log'],
    ['metrics', flags.metrics.length > 0, 'metrics'],
    ['otlp-endpoint', flags['otlp-endpoint'] !== undefined, 'tracing'],
  ] as const;
  for (const [flag, given, capability] of wanted)
    if (given && !capabilities.includes(capability))
      throw new FlagError(
        `--${flag} needs ${capability}, which is off${off.includes(capability) ? '' : ` in the profile ${profile}`}`,
        off.includes(capability) ? `leave --without ${capability} out` : `add --with ${capability}`,
      );
  return capabilities;
}

function named(flag: 'with' | 'without', names: readonly string[]): readonly Capability[] {
  return names.map((name) => {
    const found = CAPABILITIES.find((one) => one === name);
    if (found !== undefined) return found;
    throw new FlagError(
      `--${flag}: there is no capability ${JSON.stringify(name)}`,
      `capabilities: ${CAPABILITIES.join(', ')}; identity, routing and what policies ask of authorization are always on`,
    );
  });
}
