import { Injectable } from '@nestjs/common';
import { Handles } from '@nestack/kernel/http';
import { NovaError, goneOperations } from '@nestack/nova/contract';

/** What is no more of the API. */
@Injectable()
export class GoneController {
  @Handles(...goneOperations)
  gone(): never {
    throw NovaError.Gone();
  }
}
