import { CONTINUE, defineHttpFilter, type HttpFilter } from '@tulle/filter';
import { SET_FILTER_STATE_FILTER, setFilterStateFilterSchema, type SetFilterStateConfig } from '@tulle/model';
import { jsonSchema } from '@tulle/schema';
import { compileValues, putValues } from './values.ts';

/** Puts texts made of a request down under keys, for those that come after it. */
export const setFilterState: HttpFilter<SetFilterStateConfig> = defineHttpFilter<SetFilterStateConfig>({
  apiVersion: 1,
  id: SET_FILTER_STATE_FILTER,
  summary: 'Puts texts made of requests down under keys, for later filters, hashes and logs.',
  config: jsonSchema<SetFilterStateConfig>(setFilterStateFilterSchema),
  phase: 'transform',
  // What it puts down may be what a route asks for.
  unrouted: true,
  effects: 'none',
  async create(_host, { values, rematch = false }) {
    const compiled = await compileValues(values);
    return {
      requestHeaders(stream) {
        putValues(stream, compiled);
        if (rematch) stream.rematch();
        return CONTINUE;
      },
    };
  },
});
