import { hasCel, loadCelEngine, loadedCelEngine } from '@tulle/cel';
import { loadRegexEngine, type RegexEngine } from '@tulle/match';
import type { ProxyConfig } from '@tulle/model';
import type { SoundParts } from './check-model.ts';
import { needsRegex } from './needs-regex.ts';

/**
 * Loads what patterns and expressions of a configuration are compiled with: filters, routes and logs find it there.
 * @returns `undefined` where there is no pattern
 */
export async function loadEngines(config: ProxyConfig, sound: SoundParts): Promise<RegexEngine | undefined> {
  const { listeners, routes, clusters } = config;
  if (loadedCelEngine() === undefined && [listeners, routes, clusters].some(hasCel)) await loadCelEngine();
  return needsRegex(config, sound) ? loadRegexEngine() : undefined;
}
