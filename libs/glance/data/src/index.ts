export { glanceMigrations } from './migrations';
export { ImagesRepository } from './images.repository';
export { MembersRepository } from './members.repository';
export { TasksRepository } from './tasks.repository';
export { MetadefsRepository } from './metadefs.repository';
