import { envoySuite } from './envoy/suite.ts';
import { goSpiffeSuite } from './go-spiffe/suite.ts';
import { runnable, type RunnableSuite } from './suite.ts';

/** Every suite, in the order in which they run. */
export const suites: readonly RunnableSuite[] = [runnable(envoySuite), runnable(goSpiffeSuite)];
