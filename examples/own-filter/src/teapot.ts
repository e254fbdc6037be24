import { CONTINUE, defineHttpFilter, type HttpFilter } from '@tulle/filter';
import { jsonSchema } from '@tulle/schema';

/** Configuration of {@link teapot}. */
export interface TeapotConfig {
  /** Path that asks for coffee. */
  readonly path: string;
}

/** Answers 418 to those who ask a teapot for coffee (RFC 2324 §2.3.2), and counts them. */
export const teapot: HttpFilter<TeapotConfig> = defineHttpFilter({
  apiVersion: 1,
  id: 'tulle-filter-teapot',
  summary: 'Answers 418 to those who ask for coffee.',
  effects: 'none',
  config: jsonSchema<TeapotConfig>({
    type: 'object',
    additionalProperties: false,
    required: ['path'],
    properties: { path: { type: 'string', minLength: 1, description: 'Path that asks for coffee.' } },
  }),
  create: (host) => {
    const refused = host.counter('refused', 'Requests for coffee.');
    return {
      requestHeaders(stream, config) {
        if (stream.request.path !== config.path) return CONTINUE;
        refused.add();
        return stream.reply(418, 'TEAPOT_NO_COFFEE', 'I am a teapot\n');
      },
    };
  },
});
