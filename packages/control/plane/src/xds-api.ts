import { isTulleError } from '@tulle/filter';
import {
  type ChangeOptions,
  type LoadReports,
  type ResourceInput,
  typeUrlOf,
  type XdsServer,
} from '@tulle/xds-server';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { problem } from './api-problem.ts';

type OfNode = { Params: { node: string }; Querystring: { version?: string; missing?: string } };
type OfResource = {
  Params: { node: string; type: string; name: string };
  Querystring: { version?: string; missing?: string };
};

const RESOURCE = 'type.googleapis.com/envoy.service.discovery.v3.Resource';
const ONE = '/api/v1/xds/:node/:type/:name';

/** The API of resources that clients get as they are put: by node id, `*` for every node without a set of its own. */
export function addXdsRoutes(app: FastifyInstance, xds: XdsServer): void {
  app.get('/api/v1/xds', async () => ({
    items: xds.nodes().map((node) => {
      const { resources, ...status } = xds.status(node);
      return { ...status, resources: resources.length };
    }),
  }));
  app.get<OfNode>(
    '/api/v1/xds/:node',
    async (request, reply) => xds.snapshot(request.params.node) ?? noSet(reply, request.params.node),
  );
  app.get<OfNode>('/api/v1/xds/:node/status', async (request) => xds.status(request.params.node));
  app.put<OfNode>('/api/v1/xds/:node', async (request, reply) =>
    changed(reply, () =>
      xds.setSnapshot(request.params.node, resourcesOf(request.body), changeOf(request.query)),
    ),
  );
  app.post<OfNode>('/api/v1/xds/:node', async (request, reply) =>
    changed(reply, () => xds.put(request.params.node, resourcesOf(request.body), changeOf(request.query))),
  );
  app.delete<OfNode>('/api/v1/xds/:node', async (request, reply) =>
    xds.clear(request.params.node) ? { removed: request.params.node } : noSet(reply, request.params.node),
  );
  app.get<OfResource>(ONE, async (request, reply) => {
    const { node, type, name } = request.params;
    if (typeUrlOf(type) === undefined) return unknownType(reply, type);
    return xds.resource(node, type, name) ?? noResource(reply, request.params);
  });
  app.put<OfResource>(ONE, async (request, reply) => {
    const { node, type, name } = request.params;
    const typeUrl = typeUrlOf(type);
    if (typeUrl === undefined) return unknownType(reply, type);
    return changed(reply, () => {
      const given = bodyOf(request.body);
      // A Resource has the message in it; else the path may stand for the type.
      const inner: unknown = given['@type'] === RESOURCE ? given['resource'] : given;
      const said =
        typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>)['@type'] : undefined;
      if (said !== undefined && said !== typeUrl)
        throw new BodyFault(
          `the body is a ${JSON.stringify(said)}, not a ${typeUrl}`,
          'path and body must say the same',
        );
      const body = inner === given ? { ...given, '@type': typeUrl } : given;
      return xds.put(node, body, { ...changeOf(request.query), name });
    });
  });
  app.delete<OfResource>(ONE, async (request, reply) => {
    const { node, type, name } = request.params;
    if (typeUrlOf(type) === undefined) return unknownType(reply, type);
    return changed(reply, () =>
      xds.delete(node, type, name, changeOf(request.query))
        ? { removed: name }
        : noResource(reply, request.params),
    );
  });
}

/** Reports of load: what clients, over LRS, say they send where. */
export function addLoadReportRoutes(app: FastifyInstance, reports: LoadReports): void {
  app.get<{ Querystring: { node?: string } }>('/api/v1/load-reports', async (request) => ({
    items: reports.all(request.query.node),
  }));
}

/** A body that is not what the path takes. */
class BodyFault extends Error {
  override readonly name = 'BodyFault';
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

function bodyOf(body: unknown): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(typeof body === 'string' ? body : '');
  } catch (error) {
    throw new BodyFault(
      `the body is no JSON: ${error instanceof Error ? error.message : String(error)}`,
      "send protobuf's JSON as application/json",
    );
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new BodyFault('the body is no object', "send protobuf's JSON as application/json");
  return parsed as Record<string, unknown>;
}

/** Resources of a body that is a set. */
function resourcesOf(body: unknown): readonly ResourceInput[] {
  const { resources, ...others } = bodyOf(body);
  const [unknown] = Object.keys(others);
  if (unknown !== undefined || !Array.isArray(resources))
    throw new BodyFault(
      unknown === undefined ? 'resources is no list' : `${JSON.stringify(unknown)} is no field of a set`,
      'send {"resources": [{"@type": …}, …]}',
    );
  return resources as readonly ResourceInput[];
}

function changeOf({ version, missing }: OfNode['Querystring']): ChangeOptions {
  if (missing !== undefined && missing !== 'allow' && missing !== 'refuse')
    throw new BodyFault(`missing is ${JSON.stringify(missing)}`, 'missing is allow or refuse');
  return {
    ...(version === undefined ? {} : { version }),
    ...(missing === undefined ? {} : { missing }),
  };
}

function changed(reply: FastifyReply, change: () => unknown): unknown {
  try {
    return change();
  } catch (error) {
    if (error instanceof BodyFault) return problem(reply, 400, 'TULLE_API_BODY', error.message, error.hint);
    if (!isTulleError(error)) throw error;
    const inconsistent = error.context['reason'] === 'inconsistent';
    return problem(
      reply,
      inconsistent ? 409 : 422,
      error.code,
      error.message,
      inconsistent ? 'put what is named first, or say ?missing=allow' : error.row.hint,
      undefined,
      error.issues,
    );
  }
}

function noSet(reply: FastifyReply, node: string): FastifyReply {
  return problem(
    reply,
    404,
    'TULLE_API_NOT_FOUND',
    `${JSON.stringify(node)} has no set of its own`,
    'GET /api/v1/xds lists nodes',
  );
}

function noResource(reply: FastifyReply, { node, type, name }: OfResource['Params']): FastifyReply {
  return problem(
    reply,
    404,
    'TULLE_API_NOT_FOUND',
    `the set of ${JSON.stringify(node)} has no ${type} ${JSON.stringify(name)}`,
  );
}

function unknownType(reply: FastifyReply, type: string): FastifyReply {
  return problem(
    reply,
    404,
    'TULLE_API_NOT_FOUND',
    `${JSON.stringify(type)} is no type of resources`,
    'say a word such as cluster, the name of a message, or a type URL',
  );
}
