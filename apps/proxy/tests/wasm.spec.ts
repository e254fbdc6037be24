import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import wabt from 'wabt';
import { expect, it } from 'vitest';

it('the module in wasm.yaml is what wasm.wat says', async () => {
  const text = readFileSync(join(import.meta.dirname, 'wasm.wat'), 'utf8');
  const yaml = readFileSync(join(import.meta.dirname, 'configs/wasm.yaml'), 'utf8');
  const { buffer } = (await wabt()).parseWat('wasm.wat', text).toBinary({});
  expect(/inline_bytes: (\S+)/.exec(yaml)?.[1]).toBe(Buffer.from(buffer).toString('base64'));
});
