import { CONTINUE, defineHttpFilter, type HookResult, type HttpFilter, type HttpStream } from '@tulle/filter';
import { GRPC_WEB_FILTER, grpcWebFilterSchema, type GrpcWebFilterConfig } from '@tulle/model';
import { jsonSchema } from '@tulle/schema';
import { Base64Decoder } from './base64.ts';
import { BINARY, formOf, isGrpc, OTHER, TEXT, toGrpc, toWeb, type Form } from './content-type.ts';
import { trailerFrame } from './trailer-frame.ts';

/** Decision note (decision D10): a call of gRPC-Web; the value is 2 when its caller reads text, else 1. */
export const NOTE_CALL = 1;

interface Call {
  /** Of the request. */
  form: Form;
  /** Of the response. */
  answer: Form;
  readonly decoder: Base64Decoder;
}

/**
 * Lets browsers call gRPC services (grpc/doc/PROTOCOL-WEB.md): turns calls of gRPC-Web into calls of gRPC before they are
 * routed, and puts the trailers of their answers, which browsers do not show, at the end of the body. Other requests and answers pass
 * untouched.
 */
export const grpcWeb: HttpFilter<GrpcWebFilterConfig, GrpcWebFilterConfig, Call> = defineHttpFilter<
  GrpcWebFilterConfig,
  GrpcWebFilterConfig,
  Call
>({
  apiVersion: 1,
  id: GRPC_WEB_FILTER,
  summary: 'Lets browsers call gRPC services: gRPC-Web, binary and text.',
  config: jsonSchema<GrpcWebFilterConfig>(grpcWebFilterSchema),
  routeConfig: jsonSchema<GrpcWebFilterConfig>(grpcWebFilterSchema),
  stage: 'before-route',
  phase: 'cors',
  body: { request: 'transform', response: 'transform' },
  effects: 'none',
  notes: { [NOTE_CALL]: 'a call of gRPC-Web; 2: its caller reads text' },
  state: {
    create: () => ({ form: OTHER, answer: OTHER, decoder: new Base64Decoder() }),
    reset(call) {
      call.form = OTHER;
      call.answer = OTHER;
      call.decoder.reset();
    },
  },
  create: () => ({
    requestHeaders(stream, _config, call) {
      const { request } = stream;
      const type = request.method === 'POST' ? request.headers.get('content-type') : undefined;
      const form = formOf(type);
      call.form = form;
      call.answer = answerFormOf(request.headers.get('accept'), form);
      if (form !== TEXT) stream.passRequestBody();
      if (form === OTHER || type === undefined) return CONTINUE;
      request.headers.set('content-type', toGrpc(type, form));
      stream.note(NOTE_CALL, call.answer);
      return CONTINUE;
    },

    requestData(stream, _config, { decoder }, bytes, end) {
      const decoded = decoder.push(bytes);
      if (decoded === undefined || (end && !decoder.complete))
        return stream.reply(
          400,
          'TULLE_DOWNSTREAM_PROTOCOL',
          'the body of a call of application/grpc-web-text must be base64',
        );
      stream.emit(decoded);
      return CONTINUE;
    },

    responseHeaders(stream, _config, { answer }) {
      const { response } = stream;
      const type = response.headers.get('content-type');
      if (answer === OTHER || !isGrpc(type)) {
        stream.passResponseBody();
        return CONTINUE;
      }
      response.headers.set('content-type', toWeb(type, answer));
      // The status is in the head: there are neither messages nor trailers.
      if (response.headers.has('grpc-status')) stream.passResponseBody();
      return CONTINUE;
    },

    responseData(stream, _config, { answer }, bytes, end): HookResult {
      if (bytes.length > 0) emit(stream, answer, bytes);
      const { trailers } = stream.response;
      if (!end || trailers.length === 0) return CONTINUE;
      emit(stream, answer, trailerFrame(trailers));
      while (trailers.length > 0) trailers.remove(trailers.name(0));
      return CONTINUE;
    },
  }),
});

/** What the caller reads: as it says, else as it writes. */
function answerFormOf(accept: string | undefined, form: Form): Form {
  if (form === OTHER) return OTHER;
  const accepted = formOf(accept);
  return accepted === OTHER ? form : accepted;
}

/** Each piece is base64 of its own, with padding: what came can be read at once. */
function emit(stream: HttpStream, form: Form, bytes: Uint8Array): void {
  if (form === BINARY) return stream.emit(bytes);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  stream.emit(Buffer.from(text, 'latin1'));
}
