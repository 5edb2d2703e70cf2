import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import type { AuthOptions } from './auth-options.js';
import { AuthController } from './auth.controller.js';
import { AuthGuard } from './auth.guard.js';
import { AUTH_OPTIONS, AuthService } from './auth.service.js';
import { RequestAccess } from './request-access.js';
import { UserAccess } from './user-access.js';

/** How a mode decides about requests, given our own users where there are any. */
export type AccessOfMode = (users: RequestAccess | undefined) => RequestAccess;

@Module({})
export class AuthModule {
  /**
   * Guards every route of the application that is not marked as public.
   * @param options our own users; undefined: there are none, and nobody can log in
   * @param imports the module that provides the {@link SigningKeyStore}, unless a global one does
   * @param access decides instead of the roles of our own users; needed where there are none
   */
  static register(
    options: AuthOptions | undefined,
    imports: NonNullable<ModuleMetadata['imports']> = [],
    access?: AccessOfMode,
  ): DynamicModule {
    const users = options ? [AuthService, UserAccess, { provide: AUTH_OPTIONS, useValue: options }] : [];
    return {
      module: AuthModule,
      imports,
      controllers: [AuthController],
      providers: [
        ...users,
        {
          provide: RequestAccess,
          useFactory: (known?: UserAccess) => chosen(known, access),
          inject: [{ token: UserAccess, optional: true }],
        },
        { provide: APP_GUARD, useClass: AuthGuard },
      ],
      exports: [RequestAccess],
    };
  }
}

function chosen(users: UserAccess | undefined, access: AccessOfMode | undefined): RequestAccess {
  const decided = access ? access(users) : users;
  if (!decided) throw new Error('without users of our own the mode has to say who may do what');
  return decided;
}
