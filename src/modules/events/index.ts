export { Events, type EngineEvents, type JobEvent } from './events.js';
export { EventsModule } from './events.module.js';
