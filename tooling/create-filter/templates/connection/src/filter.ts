import { CONTINUE, defineConnFilter, type ConnFilter } from '@tulle/filter';
import { jsonSchema } from '@tulle/schema';

/** Configuration of {@link sample}. */
export interface SampleConfig {
  /** IP addresses whose connections are closed. */
  readonly refuse: readonly string[];
}

/** Closes connections from some addresses, before anything of them is read. */
export const sample: ConnFilter<SampleConfig> = defineConnFilter({
  apiVersion: 1,
  id: 'tulle-filter-sample',
  summary: 'Closes connections from some addresses.',
  effects: 'none',
  config: jsonSchema<SampleConfig>({
    type: 'object',
    additionalProperties: false,
    required: ['refuse'],
    properties: {
      refuse: {
        type: 'array',
        items: { type: 'string', minLength: 1 },
        description: 'IP addresses whose connections are closed.',
      },
    },
  }),
  create: (host) => {
    const refused = host.counter('sample_refused_total', 'Connections that were closed.');
    return {
      connect(connection, config) {
        if (!config.refuse.includes(connection.remoteAddress)) return CONTINUE;
        refused.add();
        return connection.close('SAMPLE_REFUSED', 'address');
      },
    };
  },
});
