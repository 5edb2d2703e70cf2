import { Global, Module } from '@nestjs/common';
import { EventEmitterModule } from '@nestjs/event-emitter';
import { Events } from './events.js';

@Global()
@Module({
  // Streams add one listener per client.
  imports: [EventEmitterModule.forRoot({ maxListeners: 10_000 })],
  providers: [Events],
  exports: [Events],
})
export class EventsModule {}
