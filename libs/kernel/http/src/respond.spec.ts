import { describe, expect, it } from '@jest/globals';
import { headerText } from './respond';

describe('the text of a header', () => {
  it('carries names in any script, and no line breaks', () => {
    expect(headerText('http://host/v2/namespaces/OS::Compute%20x')).toBe('http://host/v2/namespaces/OS::Compute%20x');
    expect(headerText('http://host/é/網/😀')).toBe('http://host/%C3%A9/%E7%B6%B2/%F0%9F%98%80');
    expect(headerText('a\r\nSet-Cookie: b\ud800')).toBe('a%0D%0ASet-Cookie: b%EF%BF%BD');
  });
});
