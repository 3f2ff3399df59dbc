export { CinderClient } from './cinder.client';
export { GlanceClient } from './glance.client';
