import { Text } from '@symphony/model';

/** The body of `POST /v1alpha2/users/auth`. */
export class LoginRequest {
  @Text({ required: true, min: 1, max: 253 }) username!: string;
  @Text({ max: 1024, description: 'Empty when left out.' }) password?: string;
  @Text({ description: 'Accepted for the sake of older clients, and ignored.' }) csrfToken?: string;
}
