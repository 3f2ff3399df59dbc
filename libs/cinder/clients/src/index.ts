export { GlanceClient } from './glance.client';
export { NovaClient } from './nova.client';
