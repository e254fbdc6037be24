import { dryRun } from '../explain/dry-run.ts';
import { explainDecision } from '../explain/explain-decision.ts';
import type { Explanation } from '../explain/explanation.ts';
import { ImaginedFault, readImagined } from '../explain/imagined-request.ts';
import type { AdminPageEntry, AdminReply } from './admin-page.ts';
import type { AdminSubject } from './admin-subject.ts';

/** Answers that one page shows; a request id that a caller repeats has no end. */
const MAX_EXPLANATIONS = 16;

/** `GET /explain?request-id=ID`, and `POST /explain` with a request that nobody sent. */
export function explainPages({ engine, listeners }: AdminSubject): AdminPageEntry[] {
  return [
    {
      path: '/explain',
      method: 'GET',
      help: '?request-id=ID why a request of the last ones went as it did, as JSON',
      reply(query): AdminReply {
        const id = query.get('request-id') ?? '';
        if (id === '')
          return json(400, {
            error: 'name a request: /explain?request-id=ID, with the x-request-id that it had',
          });
        const found = engine.decisions.of(id).slice(0, MAX_EXPLANATIONS);
        if (found.length === 0)
          return json(404, {
            error: `no request ${JSON.stringify(id)} is kept: it did not pass here, or newer ones took its place (limits.explainRequests, explainFailures)`,
          });
        const ago = engine.clock.epochMs() - engine.clock.nowMs();
        const explanations: Explanation[] = found.map((decision) =>
          explainDecision(decision, ago + decision.startMs),
        );
        return json(200, { requestId: id, explanations });
      },
    },
    {
      path: '/explain',
      method: 'POST',
      help: 'what would become of a request: { method, authority, path, headers, source, destination, listener }; nobody is called',
      async reply(_query, _accept, body): Promise<AdminReply> {
        try {
          const explanation = await dryRun(engine, listeners, readImagined(parse(body)));
          return json(200, { requestId: explanation.requestId, explanations: [explanation] });
        } catch (error) {
          if (error instanceof ImaginedFault) return json(400, { error: error.message });
          throw error;
        }
      },
    },
  ];
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new ImaginedFault(`/: is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function json(status: number, value: unknown): AdminReply {
  return { status, contentType: 'application/json', body: `${JSON.stringify(value, null, 2)}\n` };
}
