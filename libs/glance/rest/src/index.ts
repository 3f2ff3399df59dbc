export { ImagesController } from './images.controller';
export { ImageDataController } from './image-data.controller';
export { MembersController } from './members.controller';
export { MetadefNamespacesController } from './metadef-namespaces.controller';
export { MetadefContentsController } from './metadef-contents.controller';
export { InfoController, TASKS, TRANSACTIONS } from './info.controller';
export { glancePolicies } from './policy-rules';
export { parseRange } from './byte-range';
export { imageQueryOf } from './list-query';
