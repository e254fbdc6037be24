import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { HONOURED } from '@tulle/xds-client';
import { registry } from '@tulle/xds-proto/registry';
import type { Area, Json } from './configuration.ts';
import { resourcesFor } from './resources.ts';
import { configurationOf } from './run.ts';
import { STANDING_CLUSTERS } from './standing.ts';

/** Which of the fields that Tulle honours are in configurations of chance at all. */
export interface Coverage {
  readonly honoured: number;
  /** `envoy.config.route.v3.Route.tracing`, sorted: those that nothing makes. */
  readonly missing: readonly string[];
}

/** Looks through the first so many configurations of each area and seed. @param times of the short form's configurations */
export function coverageOf(areas: readonly Area[], seeds: readonly number[], times: number): Coverage {
  const made = new Set<string>();
  for (const area of areas)
    for (const seed of seeds)
      for (let index = 0; index < area.short * times; index++) {
        const one = configurationOf(area, seed, index);
        for (const resource of resourcesFor(
          [one],
          STANDING_CLUSTERS,
          () => 1,
          EVERY_PORT,
          (name) => name,
        ))
          note(resource, made);
      }
  const honoured = Object.entries(HONOURED).flatMap(([type, fields]) =>
    fields.map((field) => `${type}.${field}`),
  );
  return { honoured: honoured.length, missing: honoured.filter((name) => !made.has(name)).toSorted() };
}

/** Where nothing runs every origin has a port. */
const EVERY_PORT: ReadonlyMap<string, number> = new (class extends Map<string, number> {
  override get(): number {
    return 1;
  }
})();

/** Notes every field of a message in JSON with its type beside it. */
function note(json: Json, made: Set<string>): void {
  const type = String(json['@type']).replace(/^.*\//, '');
  const desc = registry.getMessage(type);
  if (desc === undefined) throw new RangeError(`no message is called ${type}`);
  noteFields(desc, json, made);
}

function noteFields(desc: DescMessage, json: Json, made: Set<string>): void {
  for (const field of desc.fields) {
    const value = json[field.name] ?? json[field.jsonName];
    if (value === undefined) continue;
    made.add(`${desc.typeName}.${field.name}`);
    const inner = messageOf(field);
    if (inner === undefined || typeof value !== 'object' || value === null) continue;
    const items: readonly unknown[] =
      field.fieldKind === 'list'
        ? (value as readonly unknown[])
        : field.fieldKind === 'map'
          ? Object.values(value)
          : [value];
    for (const item of items) {
      if (typeof item !== 'object' || item === null) continue;
      if (inner.typeName === 'google.protobuf.Any') note(item as Json, made);
      else noteFields(inner, item as Json, made);
    }
  }
}

function messageOf(field: DescField): DescMessage | undefined {
  return 'message' in field ? field.message : undefined;
}

/** What is honoured and not made, a message a line. */
export function coverageText({ honoured, missing }: Coverage): string {
  const byType = new Map<string, string[]>();
  for (const name of missing) {
    const at = name.lastIndexOf('.');
    const type = name.slice(0, at);
    byType.set(type, [...(byType.get(type) ?? []), name.slice(at + 1)]);
  }
  return [
    `${honoured - missing.length} of ${honoured} fields that are honoured are in some configuration; not:`,
    ...[...byType].map(([type, fields]) => `${type}: ${fields.join(' ')}`),
  ].join('\n');
}
