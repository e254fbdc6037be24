// The main of a node proxy's engine process; started by the supervisor, see node-proxy.ts.
import { runEngineProcess } from '@tulle/supervisor';
import { createNodeProxyEngine, type EngineSettings } from './engine.ts';

await runEngineProcess<EngineSettings>({ createEngine: createNodeProxyEngine });
