export { Rest, usersOf } from './rest.js';
