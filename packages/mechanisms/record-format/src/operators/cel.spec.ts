import { loadCelEngine } from '@tulle/cel';
import type { StreamRecord } from '@tulle/telemetry';
import { beforeAll, expect, it } from 'vitest';
import { compileJson, compileText, type FormatFault, type FormatIssue } from '../index.ts';

beforeAll(async () => void (await loadCelEngine()));

const record = {
  kind: 'http',
  method: 'GET',
  query: '',
  status: 404,
  flags: [],
  requestHeader: (name: string) => ({ a: 'one "two"', none: '' })[name],
} as unknown as StreamRecord;

const text = (format: string, more: { readonly omitEmpty?: boolean } = {}): string => {
  const issues: FormatIssue[] = [];
  const render = compileText(format, issues, { query: 'keep', maxFieldChars: 100, ...more });
  expect(issues).toEqual([]);
  return render(record);
};

it('fills texts with what expressions come to', () => {
  expect(text('%CEL(request.method)% %CEL(response.code >= 400)% %CEL(request.headers.b)%')).toBe(
    'GET true -',
  );
  expect(text('%CEL(request.method):2%|%CEL("%")%|%CEL((1 + 2) * 3)%')).toBe('GE|%|9');
  expect(text('[%CEL(request.query)%][%TYPED_CEL(request.headers.none)%]')).toBe('[][]');
  expect(text('[%CEL(request.headers.b)%]', { omitEmpty: true })).toBe('[]');
  // Nothing that a caller sends ends a word.
  expect(text('"%CEL(request.headers.a)%" %CEL(request.headers.a)%')).toBe(
    '"one \\x22two\\x22" one\\x20\\x22two\\x22',
  );
});

it('fills JSON with texts, or with what they are', () => {
  const faults: FormatFault[] = [];
  const format = {
    text: '%CEL(response.code)%',
    typed: '%TYPED_CEL(response.code)%',
    truth: '%TYPED_CEL(response.code > 1)%',
    list: '%TYPED_CEL([1, "a"])%',
    none: '%CEL(request.headers.b)%',
    empty: '%CEL(request.query)%',
    both: '%CEL(request.method)%-%CEL(request.query)%-',
  };
  const render = compileJson(format, '', faults, { query: 'keep', maxFieldChars: 100 });
  expect(faults).toEqual([]);
  expect(JSON.parse(render(record))).toEqual({
    text: '404',
    typed: 404,
    truth: true,
    list: [1, 'a'],
    none: null,
    empty: '',
    both: 'GET--',
  });
});

it('says what is wrong with one by its column in the format', () => {
  const issues: FormatIssue[] = [];
  compileText('ab %CEL(request.methd)%', issues, { query: 'keep', maxFieldChars: 100 });
  expect(issues).toEqual([
    { at: 15, message: expect.stringContaining('did you mean request.method') as string },
  ]);
});
