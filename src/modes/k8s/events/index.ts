export { EventRecorder, type EventResult } from './event-recorder.js';
export { ObjectEvents } from './object-events.js';
