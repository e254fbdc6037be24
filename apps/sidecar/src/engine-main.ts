// The main of a sidecar's engine process; started by the supervisor, see sidecar.ts.
import { runEngineProcess } from '@tulle/supervisor';
import { createSidecarEngine, type EngineSettings } from './engine.ts';

await runEngineProcess<EngineSettings>({ createEngine: createSidecarEngine });
