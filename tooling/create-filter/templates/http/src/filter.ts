import { CONTINUE, defineHttpFilter, type HttpFilter } from '@tulle/filter';
import { jsonSchema } from '@tulle/schema';

/** Configuration of {@link sample}. */
export interface SampleConfig {
  /** Header that every response gets. */
  readonly header: string;
  /** Its value. */
  readonly value: string;
  /** Paths that are refused. */
  readonly refuse?: readonly string[];
}

/** Marks every response with a header, and refuses some paths. */
export const sample: HttpFilter<SampleConfig> = defineHttpFilter({
  apiVersion: 1,
  id: 'tulle-filter-sample',
  summary: 'Marks every response with a header, and refuses some paths.',
  phase: 'custom',
  effects: 'none',
  config: jsonSchema<SampleConfig>({
    type: 'object',
    additionalProperties: false,
    required: ['header', 'value'],
    properties: {
      header: { type: 'string', pattern: '^[A-Za-z0-9-]+$', description: 'Header that every response gets.' },
      value: { type: 'string', description: 'Its value.' },
      refuse: {
        type: 'array',
        items: { type: 'string', pattern: '^/' },
        default: [],
        description: 'Paths that are refused.',
      },
    },
  }),
  create: (host) => {
    const refused = host.counter('sample_refused_total', 'Requests that were refused.');
    return {
      requestHeaders(stream, config) {
        if (config.refuse?.includes(stream.request.path) !== true) return CONTINUE;
        refused.add();
        return stream.reply(403, 'SAMPLE_REFUSED', 'refused\n');
      },
      responseHeaders(stream, config) {
        stream.response.headers.set(config.header, config.value);
        return CONTINUE;
      },
    };
  },
});
