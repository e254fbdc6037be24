import { strict as assert } from 'node:assert';

/** How many failures the first line of an error says: a summary has that line only. */
const SAID = 3;

/** @throws AssertionError whose first line says what the first calls failed with */
export function noneFailed(failed: readonly string[]): void {
  assert(
    failed.length === 0,
    `${failed.length} calls failed: ${failed
      .slice(0, SAID)
      .map((text) => text.replaceAll(/\s+/g, ' '))
      .join('; ')}`,
  );
}
