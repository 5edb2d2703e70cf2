import { type ArgumentsHost, Catch, type ExceptionFilter, Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendProblem, toProblem } from './problem-details.js';

/** Answers every error with problem details; only what is our fault is logged as an error. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('Http');

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const body = toProblem(error, request.id);
    if (body.status >= 500) this.logger.error({ msg: body.detail, code: body.code, err: error });
    else this.logger.debug({ msg: body.detail, code: body.code });
    if (reply.sent || reply.raw.headersSent) {
      // Half an answer is out (a stream): only cutting it off tells the client that it is not whole.
      if (!reply.raw.writableEnded) reply.raw.destroy();
      return;
    }
    sendProblem(reply, body);
  }
}
