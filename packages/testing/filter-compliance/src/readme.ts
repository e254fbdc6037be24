import { optionTable } from '@tulle/schema';

/**
 * A README whose part between `<!-- options -->` and `<!-- /options -->` is the table of the schema's options. Compare it
 * with the file in a test (`toMatchFileSnapshot`), so that documentation and schema cannot differ.
 * @throws Error when the marks are missing
 */
export function withOptionTable(readme: string, jsonSchema: Readonly<Record<string, unknown>>): string {
  const marks = /<!-- options -->[\s\S]*<!-- \/options -->/;
  if (!marks.test(readme))
    throw new Error(
      'the README has no <!-- options --> … <!-- /options -->; put them where the table belongs',
    );
  return readme.replace(marks, () => `<!-- options -->\n${optionTable(jsonSchema)}\n<!-- /options -->`);
}
