import { SetMetadata } from '@nestjs/common';

/** The metadata key by which the access guard knows routes that need no token. */
export const PUBLIC_ROUTE = 'symphony:publicRoute';

/** Marks a controller or a handler that answers without a token. */
export const PublicRoute = (): ClassDecorator & MethodDecorator => SetMetadata(PUBLIC_ROUTE, true);
