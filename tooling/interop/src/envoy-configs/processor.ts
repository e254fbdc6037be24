import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { HeaderValueOption_HeaderAppendAction as AppendAction } from '@tulle/xds-proto/envoy/config/core/v3/base';
import {
  type HttpHeaders,
  type ProcessingRequest,
  ProcessingRequestSchema,
  ProcessingResponseSchema,
} from '@tulle/xds-proto/envoy/service/ext_proc/v3/external_processor';
import { StatusCode } from '@tulle/xds-proto/envoy/type/v3/http_status';
import { type GrpcService, serveMethod } from './grpc-service.ts';

type Response = NonNullable<MessageInitShape<typeof ProcessingResponseSchema>['response']>;

/** An external processor over gRPC, by gRPC's own library: what it does goes by the path of the request. */
export function startProcessor(): Promise<GrpcService> {
  return serveMethod(
    '/envoy.service.ext_proc.v3.ExternalProcessor/Process',
    true,
    ProcessingRequestSchema,
    talk,
  );
}

function talk(call: ServerDuplexStream<ProcessingRequest, Buffer>): void {
  let path = '';
  call.on('data', (request: ProcessingRequest) => {
    if (request.request.case === 'requestHeaders') path = field(request.request.value, ':path');
    if (path === '/silent') return;
    if (path === '/failing')
      return void call.emit('error', { code: status.INTERNAL, details: 'the processor failed' });
    const response = path === '/spurious' ? spurious : answer(request, path);
    call.write(
      Buffer.from(toBinary(ProcessingResponseSchema, create(ProcessingResponseSchema, { response }))),
    );
  });
  call.on('end', () => call.end());
}

const spurious: Response = { case: 'responseBody', value: {} };

function answer({ request, attributes }: ProcessingRequest, path: string): Response {
  switch (request.case) {
    case 'requestHeaders': {
      if (path === '/refused')
        return {
          case: 'immediateResponse',
          value: {
            status: { code: StatusCode.Forbidden },
            headers: { setHeaders: [set('x-why', 'because')] },
            body: Buffer.from('the processor says no'),
            details: 'refused',
          },
        };
      const method = attributes['envoy.filters.http.ext_proc']?.['request.method'];
      return {
        case: 'requestHeaders',
        value: {
          response: {
            headerMutation: {
              removeHeaders: ['x-gone'],
              setHeaders: [
                set(
                  'x-attribute',
                  typeof method === 'string' ? method : '',
                  AppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
                ),
                set('x-default', 'told'),
                set('x-replaced', 'told', AppendAction.OVERWRITE_IF_EXISTS_OR_ADD),
                { ...set('x-appended', 'told'), append: true },
                set('x-absent', 'told', AppendAction.OVERWRITE_IF_EXISTS),
                set('x-kept', 'told', AppendAction.ADD_IF_ABSENT),
                set('x-never-set', 'told'),
                ...(path === '/rewritten'
                  ? [set(':path', '/elsewhere?a=1', AppendAction.OVERWRITE_IF_EXISTS_OR_ADD)]
                  : []),
              ],
            },
          },
        },
      };
    }
    case 'requestBody': {
      const setHeaders = [set('x-body', String(request.value.body.length))];
      return {
        case: 'requestBody',
        value: { response: path === '/body' ? { headerMutation: { setHeaders } } : {} },
      };
    }
    case 'responseHeaders': {
      const setHeaders = [
        set('x-response', field(request.value, ':status')),
        ...(path === '/status' ? [set(':status', '207', AppendAction.OVERWRITE_IF_EXISTS_OR_ADD)] : []),
      ];
      return {
        case: 'responseHeaders',
        value: { response: { headerMutation: { removeHeaders: ['x-powered-by'], setHeaders } } },
      };
    }
    default:
      return { case: request.case as 'requestTrailers', value: {} };
  }
}

function set(key: string, value: string, appendAction: AppendAction = AppendAction.APPEND_IF_EXISTS_OR_ADD) {
  return { header: { key, rawValue: Buffer.from(value) }, appendAction };
}

function field({ headers }: HttpHeaders, name: string): string {
  const found = headers?.headers.find(({ key }) => key === name);
  return found === undefined ? '' : Buffer.from(found.rawValue).toString() || found.value;
}
