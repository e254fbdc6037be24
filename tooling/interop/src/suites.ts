import { differentialSuite } from './differential/suite.ts';
import { envoyConfigsSuite } from './envoy-configs/suite.ts';
import { envoySuite } from './envoy/suite.ts';
import { goSpiffeSuite } from './go-spiffe/suite.ts';
import { grpcSuite } from './grpc/suite.ts';
import { http1CurlSuite, http1GoSuite, http1PythonSuite, http1WrkSuite } from './http1/suite.ts';
import { http2Suite } from './http2/suite.ts';
import { mixedSuite } from './mixed/suite.ts';
import { onDemandSuite } from './on-demand/suite.ts';
import { proxylessSuite } from './proxyless/suite.ts';
import { grpcXdsSuite } from './raw/grpc-suite.ts';
import { envoyRawSuite } from './raw/suite.ts';
import { rawPairsSuite } from './raw-pairs/suite.ts';
import { runnable, type RunnableSuite } from './suite.ts';

/** Every suite, in the order in which they run. */
export const suites: readonly RunnableSuite[] = [
  runnable(envoySuite),
  runnable(envoyConfigsSuite),
  runnable(differentialSuite),
  runnable(mixedSuite),
  runnable(envoyRawSuite),
  runnable(onDemandSuite),
  runnable(rawPairsSuite),
  runnable(goSpiffeSuite),
  runnable(http1GoSuite),
  runnable(http1PythonSuite),
  runnable(http1CurlSuite),
  runnable(http1WrkSuite),
  runnable(http2Suite),
  runnable(grpcSuite),
  runnable(grpcXdsSuite),
  runnable(proxylessSuite),
];
