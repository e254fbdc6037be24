// The main of an engine process; started by the supervisor, see envoy-proxy.ts.
import { runEngineProcess } from '@tulle/supervisor';
import { createEnvoyEngine, type EngineSettings } from './engine.ts';

await runEngineProcess<EngineSettings>({ createEngine: createEnvoyEngine });
