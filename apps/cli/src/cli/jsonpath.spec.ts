import { describe, expect, it } from 'vitest';
import { jsonPathTemplate } from './jsonpath.ts';

const list = {
  items: [
    { kind: 'Service', metadata: { name: 'orders', labels: { tier: 'back' } } },
    { kind: 'HTTPRoute', metadata: { name: 'canary' } },
  ],
};
const text = async (template: string): Promise<string> => (await jsonPathTemplate(template))(list);

describe('a JSONPath template', () => {
  it.each([
    ['{.items[*].metadata.name}', 'orders canary'],
    ['.items[0].kind', 'Service'],
    ['$.items[1].kind', 'HTTPRoute'],
    ['{.items[?(@.kind=="HTTPRoute")].metadata.name}', 'canary'],
    ['{.items[-1:].kind}', 'HTTPRoute'],
    ['{.items[0].metadata}', '{"name":"orders","labels":{"tier":"back"}}'],
    ['{.nothing}', ''],
    ['{range .items[*]}{.kind}{"\\t"}{.metadata.name}{"\\n"}{end}', 'Service\torders\nHTTPRoute\tcanary\n'],
    ['names: {..name}.', 'names: orders canary.'],
    ["{'a}b'}", 'a}b'],
  ])('%s', async (template, expected) => {
    expect(await text(template)).toBe(expected);
  });

  it.each([
    ['{.items[}', '".items[" is no JSONPath: '],
    ['{range .items[*]}{.kind}', '{range …} without {end}'],
    ['{.a}{end}', '{end} without {range …}'],
    ['{.a', 'a brace is not closed'],
  ])('%s is refused with what is wrong', async (template, message) => {
    await expect(text(template)).rejects.toMatchObject({
      exitCode: 64,
      message: expect.stringContaining(message) as string,
    });
  });
});
