import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import type { AuthOptions } from './auth-options.js';
import { AuthController } from './auth.controller.js';
import { AuthGuard } from './auth.guard.js';
import { AUTH_OPTIONS, AuthService } from './auth.service.js';

@Module({})
export class AuthModule {
  /**
   * Guards every route of the application that is not marked as public.
   * @param imports the module that provides the {@link SigningKeyStore}, unless a global one does
   */
  static register(options: AuthOptions, imports: NonNullable<ModuleMetadata['imports']> = []): DynamicModule {
    return {
      module: AuthModule,
      imports,
      controllers: [AuthController],
      providers: [
        AuthService,
        { provide: AUTH_OPTIONS, useValue: options },
        { provide: APP_GUARD, useClass: AuthGuard },
      ],
    };
  }
}
