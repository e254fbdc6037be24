import { copyBytes, NO_BYTES } from '../bytes.ts';
import { applyEdits, type CompiledLocalReplies, type CompiledReplyMapper } from '../compile/compiled.ts';
import type { Stream } from '../stream/stream.ts';

/** Gives a recorded local reply the status, fields and body that its listener says (Envoy `LocalReplyConfig`). */
export function shapeReply(stream: Stream, replies: CompiledLocalReplies): void {
  const mapper = mapperFor(stream, replies.mappers);
  const format = mapper?.format ?? replies.format;
  const fields = stream.localFields;
  if (mapper !== undefined && mapper.status > 0) stream.status = mapper.status;
  if (mapper?.edits !== undefined) applyEdits(fields, [mapper.edits]);
  let body = mapper?.body;
  if (format !== undefined) {
    body ??= (stream.replyBody ?? NO_BYTES).toString('utf8');
    body = stream.engine.recorder.describe(stream, (record) => format.render(record, body ?? ''));
    fields.put('content-type', format.contentType);
  } else if (body !== undefined && !fields.has('content-type'))
    fields.add('content-type', 'text/plain; charset=utf-8');
  if (body === undefined) return;
  stream.replyBody = body === '' ? NO_BYTES : copyBytes(body);
}

function mapperFor(
  { status, flags }: Stream,
  mappers: readonly CompiledReplyMapper[],
): CompiledReplyMapper | undefined {
  return mappers.find(
    (mapper) =>
      status >= mapper.minStatus &&
      status <= mapper.maxStatus &&
      (mapper.flags === null || flags.some((flag) => mapper.flags?.includes(flag))),
  );
}
