export { NovaClient } from './nova.client';
