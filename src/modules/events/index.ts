export { Events, type EngineEvents, type EventSubject, type JobEvent } from './events.js';
export { EventsModule } from './events.module.js';
