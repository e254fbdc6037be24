import type { JsonSchema } from '../filters/json-schema.ts';
import { fields, flag, listOf, name, names, text, whole } from './parts.ts';

const headers: JsonSchema = listOf(fields(['name', 'value'], { name, value: text }));

/** JSON Schema of `LocalReplyFormat`. */
export const localReplyFormatSchema: JsonSchema = {
  anyOf: [
    fields(['text'], { text, contentType: name, omitEmpty: flag }),
    // Texts, or objects of texts: whoever compiles the format looks at them.
    fields(['json'], { json: { type: 'object' }, contentType: name, omitEmpty: flag }),
  ],
};

/** JSON Schema of `LocalReplies`. */
export const localRepliesSchema: JsonSchema = fields([], {
  mappers: listOf(
    fields(['match'], {
      match: fields([], { minStatus: whole(100, 599), maxStatus: whole(100, 599), flags: names }),
      status: whole(200, 599),
      body: text,
      format: localReplyFormatSchema,
      headers: fields([], { set: headers, add: headers }),
    }),
  ),
  format: localReplyFormatSchema,
});
