import type { FastifyInstance, FastifyReply } from 'fastify';
import { problem } from './api-problem.ts';

/** What the API asks of the CA; `Ca` of `@tulle/ca` is one. */
export interface CaHooks {
  createJoinToken(request: {
    readonly namespace: string;
    readonly serviceAccount: string;
    /** Labels that the workload may claim; `'*'`: any (docs/decisions/007). */
    readonly labels?: Readonly<Record<string, string>> | '*';
    readonly lifetimeMs?: number;
  }): Promise<unknown>;
  joinTokens(): Promise<readonly unknown[]>;
  /** False when there is no unused token of that id. */
  revokeJoinToken(id: string): Promise<boolean>;
  status(): object;
  rotateIssuer(): Promise<void>;
  rotateLeaves(): Promise<void>;
  rotateRoot(): Promise<void>;
  switchRoot(): Promise<void>;
  removeOldRoot(): Promise<void>;
  abandonRootRotation(): Promise<void>;
}

/** The API of the CA: join tokens, rotations, and how they stand. */
export function addCaRoutes(app: FastifyInstance, ca: CaHooks): void {
  app.post('/api/v1/join-tokens', async (request, reply) => {
    const body = tokenRequest(request.body);
    if (typeof body === 'string') return problem(reply, 400, 'TULLE_API_BODY', body, TOKEN_BODY);
    try {
      return await ca.createJoinToken(body);
    } catch (error) {
      // What is wrong with the request, told apart from a full disk.
      if (!isRefusal(error) && !(error instanceof RangeError)) throw error;
      return problem(reply, 400, 'TULLE_IDENTITY_TOKEN', error.message);
    }
  });
  app.get('/api/v1/join-tokens', async () => ({ items: await ca.joinTokens() }));
  app.delete<{ Params: { id: string } }>('/api/v1/join-tokens/:id', async (request, reply) => {
    const { id } = request.params;
    if (await ca.revokeJoinToken(id)) return { revoked: id };
    return problem(
      reply,
      404,
      'TULLE_API_NOT_FOUND',
      `there is no unused join token ${JSON.stringify(id)}`,
      'GET /api/v1/join-tokens lists them; a used one is ended by the end of its certificate',
    );
  });
  app.get('/api/v1/ca', async () => ca.status());
  app.post('/api/v1/ca/rotate-issuer', async () => ca.rotateIssuer().then(() => ({ rotated: 'issuer' })));
  app.post('/api/v1/ca/rotate-leaves', async () => ca.rotateLeaves().then(() => ({ rotated: 'leaves' })));
  const step = async (reply: FastifyReply, work: () => Promise<void>): Promise<unknown> => {
    try {
      await work();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return problem(reply, 409, error.code, error.message, 'GET /api/v1/ca says how it stands');
    }
    return ca.status();
  };
  app.post('/api/v1/ca/rotate-root', async (_, reply) => step(reply, () => ca.rotateRoot()));
  app.post('/api/v1/ca/switch-root', async (_, reply) => step(reply, () => ca.switchRoot()));
  app.post('/api/v1/ca/remove-old-root', async (_, reply) => step(reply, () => ca.removeOldRoot()));
  app.post('/api/v1/ca/abandon-root', async (_, reply) => step(reply, () => ca.abandonRootRotation()));
}

const TOKEN_BODY =
  'the body must be {"namespace": …, "serviceAccount": …, "labels"?: {…} or "*", "lifetimeMs"?: …}';

/** The request, or what is wrong with it. */
function tokenRequest(body: unknown): Parameters<CaHooks['createJoinToken']>[0] | string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(typeof body === 'string' ? body : '');
  } catch {
    return 'the body is no JSON';
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return 'the body is no object';
  const { namespace, serviceAccount, labels, lifetimeMs, ...others } = parsed as Record<string, unknown>;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) return `${JSON.stringify(unknown)} is no field of a join token`;
  if (typeof namespace !== 'string') return 'namespace is no text';
  if (typeof serviceAccount !== 'string') return 'serviceAccount is no text';
  if (lifetimeMs !== undefined && typeof lifetimeMs !== 'number') return 'lifetimeMs is no number';
  if (labels !== undefined && labels !== '*' && !isLabels(labels))
    return 'labels is neither an object of texts nor "*"';
  return {
    namespace,
    serviceAccount,
    ...(labels === undefined ? {} : { labels }),
    ...(lifetimeMs === undefined ? {} : { lifetimeMs }),
  };
}

const isLabels = (value: unknown): value is Readonly<Record<string, string>> =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every((one) => typeof one === 'string');

/** What the CA says no to, told apart from what went wrong in it. */
const isRefusal = (
  error: unknown,
): error is Error & { readonly code: 'TULLE_CA_REFUSED' | 'TULLE_SPIFFE_BAD_ID' } =>
  error instanceof Error &&
  'code' in error &&
  (error.code === 'TULLE_CA_REFUSED' || error.code === 'TULLE_SPIFFE_BAD_ID');
