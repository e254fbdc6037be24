import type { DescMessage } from '@bufbuild/protobuf';
import { decodableTypes } from '../../src/decode/context.ts';
import { HONOURED } from '../../src/decode/honoured.ts';
import { candidatesFor } from './candidates.ts';

/** How a message comes to stand in a resource. */
export interface Way {
  /** Full name of its type. */
  readonly to: string;
  /** Full names of the fields on the way, and of the types in the `Any`s on it. */
  readonly through: ReadonlySet<string>;
}

interface Step {
  readonly desc: DescMessage;
  readonly above: string;
  readonly through: readonly string[];
}

/** The shortest ways from a resource to everything that can stand in an `Any` in it, by type. */
export function waysFrom(root: DescMessage): Map<string, Way> {
  const ways = new Map<string, Way>([[root.typeName, { to: root.typeName, through: new Set() }]]);
  const seen = new Set<string>([root.typeName]);
  let steps: readonly Step[] = [{ desc: root, above: '', through: [] }];
  while (steps.length > 0) {
    const next: Step[] = [];
    for (const { desc, above, through } of steps) {
      for (const field of desc.fields) {
        if (!field.message || !(HONOURED[desc.typeName] ?? []).includes(field.name)) continue;
        const name = `${desc.typeName}.${field.name}`;
        if (field.message.typeName !== 'google.protobuf.Any') {
          // A TypedExtensionConfig is another one in each field.
          const key = field.message.typeName.endsWith('TypedExtensionConfig') ? name : field.message.typeName;
          if (seen.has(key)) continue;
          seen.add(key);
          next.push({ desc: field.message, above: name, through: [...through, name] });
          continue;
        }
        for (const typeName of candidatesFor(name, above)) {
          const inner = decodableTypes.getMessage(typeName);
          if (!inner || ways.has(typeName)) continue;
          const way = [...through, name, typeName];
          ways.set(typeName, { to: typeName, through: new Set(way) });
          next.push({ desc: inner, above: '', through: way });
        }
      }
    }
    steps = next;
  }
  return ways;
}
