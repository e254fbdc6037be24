import { CONTINUE, defineConnFilter, type ConnFilter } from '@tulle/filter';
import {
  CONN_SET_FILTER_STATE_FILTER,
  connSetFilterStateFilterSchema,
  type ConnSetFilterStateConfig,
} from '@tulle/model';
import { jsonSchema } from '@tulle/schema';
import { compileValues, putValues } from './values.ts';

/** Puts texts made of a connection down under keys, for its requests, what comes after it, and where its bytes go. */
export const connSetFilterState: ConnFilter<ConnSetFilterStateConfig> =
  defineConnFilter<ConnSetFilterStateConfig>({
    apiVersion: 1,
    id: CONN_SET_FILTER_STATE_FILTER,
    summary: 'Puts texts made of connections down under keys, for their requests, later filters and logs.',
    config: jsonSchema<ConnSetFilterStateConfig>(connSetFilterStateFilterSchema),
    effects: 'none',
    async create(_host, { values }) {
      const compiled = await compileValues(values);
      return {
        connect(connection) {
          putValues(connection, compiled);
          return CONTINUE;
        },
      };
    },
  });
