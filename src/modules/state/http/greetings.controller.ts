import { Controller, Get, Header, HttpCode, Post } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { PublicRoute } from '../../http/index.js';

/** Symphony's clients look for this text to see that the API is there. */
const GREETING = 'Hello from Symphony K8s control plane (S8C)';

@ApiTags('greetings')
@PublicRoute()
@Controller('v1alpha2/greetings')
export class GreetingsController {
  @Get()
  @Header('content-type', 'text/plain; charset=utf-8')
  @ApiOperation({ operationId: 'getGreetings', summary: 'Whether the API is there', security: [] })
  @ApiResponse({
    status: 200,
    description: 'It is.',
    content: { 'text/plain': { schema: { type: 'string' }, example: GREETING } },
  })
  get(): string {
    return GREETING;
  }

  /** Agents post here to say that they are alive; nothing is done with it. */
  @Post()
  @HttpCode(200)
  @ApiOperation({ operationId: 'postGreetings', summary: 'Say hello', security: [] })
  @ApiResponse({ status: 200, description: 'Heard.' })
  post(): void {
    return undefined;
  }
}
